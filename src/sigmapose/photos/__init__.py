"""Photos and videos that nobody annotated: the people found in them, and their crops as samples."""
