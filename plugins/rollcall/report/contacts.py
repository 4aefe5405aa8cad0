"""What a district's contacts hear: its receipt, when there is something for them to do, or each night if they like."""

from rollcall.report.notices import claim
from rollcall.report.notify import Message, mail
from rollcall.report.receipt import Receipt
from rollcall.settings import settings
from rollcall.states import DeliveryState
from rollcall.warehouse import connect

MOST_FINDINGS = 10


def tell_contacts(receipt: Receipt, page: str) -> None:
    """Send a district's contacts the receipt of a delivery, once as it stands now.

    Args:
        receipt: The receipt.
        page: The same as a page, which goes with the e-mail.
    """
    district, delivery = receipt.district, receipt.delivery
    if not district.contacts or not _is_wanted(receipt):
        return
    with connect() as connection:
        if claim(connection, delivery.service_date, f"receipt_{delivery.state}", str(delivery.delivery_id)) is None:
            return
    mail(district.contacts, message_of(receipt, page))


def _is_wanted(receipt: Receipt) -> bool:
    """Whether the contacts want to hear of a delivery as it stands."""
    wish, state = receipt.district.tell_contacts, receipt.delivery.state
    if wish == "each_night":
        return state.is_judged and state is not DeliveryState.ACCEPTED
    return wish == "when_needed" and (state in (DeliveryState.HELD, DeliveryState.REJECTED) or _set_aside(receipt) > 0)


def _set_aside(receipt: Receipt) -> int:
    """Rows of a published delivery that do not count."""
    if receipt.delivery.state is not DeliveryState.PUBLISHED:
        return 0
    return sum(file.set_aside or 0 for file in receipt.files)


def message_of(receipt: Receipt, page: str) -> Message:
    """The e-mail: how the delivery stands, what to do, and what to fix first."""
    words, night = receipt.wording, receipt.delivery.service_date
    found = [each for each in receipt.found if each.severity == "critical" and not each.sentence]
    return Message(
        f"{settings().vendor_name}: your roster of {night}: {words.headline}",
        (
            f"{receipt.district.name}, night of {night}.",
            words.headline,
            words.next,
            *receipt.reasons,
            f"What you have to do: {words.you}",
            *(f"{each.file}: {each.message} ({each.count:,})" for each in found[:MOST_FINDINGS]),
            *((f"And {len(found) - MOST_FINDINGS} more.",) if len(found) > MOST_FINDINGS else ()),
            "The receipt goes with this e-mail, and names every row to fix, first things first. It lies in the folder "
            "receipts of your SFTP account, too.",
        ),
        {f"{receipt.name}-receipt.html": page},
    )
