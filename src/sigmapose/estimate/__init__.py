"""The runtime: picture or keypoints to Gaussian poses, with numpy and ONNX Runtime only."""
