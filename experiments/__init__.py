"""What no user calls: studies and measurements of the project. `python -m experiments` lists them."""
