"""What can go wrong with a webhook.

* Exception
  + RefusedAddressError     nothing that the name leads to may be connected to
  + DeliveryError           this attempt failed; `for_good` when another one would as well
* PlatformError
  + Unprocessable
    x InvalidWebhook        422  the address cannot be one of a receiver
"""

from mlplatform.errors import FieldError, Unprocessable

FIELD = "body.webhook"


class RefusedAddressError(Exception):
    """Nothing that a name leads to may be connected to."""


class DeliveryError(Exception):
    """An attempt to deliver failed.

    Attributes:
        reason: Said to the one who submitted the job; holds nothing that the other side sent.
        for_good: Whether trying again is of no use.
    """

    def __init__(self, reason: str, *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.for_good = for_good


class InvalidWebhook(Unprocessable):
    """The address cannot be that of a receiver."""

    def __init__(self, message: str) -> None:
        super().__init__("The webhook is refused.", errors=[FieldError(FIELD, message)])
