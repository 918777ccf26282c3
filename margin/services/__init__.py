"""What margin does by itself: everything else changes through the engine."""
