"""Publishing again, each message once: replay and undo."""
