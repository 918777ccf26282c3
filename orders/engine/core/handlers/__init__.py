"""What the engine knows of each command: one handler a command, found in `registry`. Pure."""
