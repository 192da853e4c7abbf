"""Who is a verified official: units, posts, the persons who hold them, and until when."""
