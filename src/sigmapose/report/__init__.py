"""Tables, JSON and pages of what was measured."""
