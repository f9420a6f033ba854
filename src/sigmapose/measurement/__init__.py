"""Series of joint angles, lengths and speeds with intervals, what of them to discard, tables and plots."""
