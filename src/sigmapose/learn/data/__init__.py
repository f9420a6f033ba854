"""What heads and encoders learn from: features of samples, views of bodies, batches and augmentation."""
