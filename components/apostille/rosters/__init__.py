"""The room that knows whom an official sees."""
