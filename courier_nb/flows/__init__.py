"""What is done with a destination: receive, peek, settle, drain, publish, replay. Async, and without pandas."""
