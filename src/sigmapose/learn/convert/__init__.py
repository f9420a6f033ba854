"""Networks from and to files: MediaPipe in TFLite, ONNX for the runtime."""
