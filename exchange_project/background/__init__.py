"""Background work: the tasks of the workers, their last runs, and the watch over both."""
