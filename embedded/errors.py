"""What can go wrong when the venue is started, told so that a person knows what to do."""


class EmbeddedError(Exception):
    """The start or a command failed; the message is shown to the user as it is."""


class ProgramsNotFoundError(EmbeddedError):
    """Neither a wheel nor the system offers a server's programs."""


class ServerFailedError(EmbeddedError):
    """A server did not become ready; the message holds the end of its log."""


class AlreadyRunningError(EmbeddedError):
    """Another supervisor holds the state folder."""


class PortTakenError(EmbeddedError):
    """The web port is in use by another program."""


class BackupError(EmbeddedError):
    """A backup could not be made or restored."""


class CommandFailedError(EmbeddedError):
    """A set-up command, such as a migration, ended with an error."""
