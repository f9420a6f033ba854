"""Networks: BlazePose and other encoders, the depth and uncertainty head, ensembles of heads."""
