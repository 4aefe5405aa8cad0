"""The words for deliveries and nights: what follows from each."""

from rollcall.states import DeliveryState, NightOutcome


def test_a_night_can_end_as_any_judged_delivery_does() -> None:
    judged = {state.value for state in DeliveryState if state.is_judged}
    assert judged <= {outcome.value for outcome in NightOutcome}
    assert not {"receiving", "received"} & {outcome.value for outcome in NightOutcome}


def test_what_is_worked_on_is_not_settled_unless_a_clear_takes_it_up_again() -> None:
    both = {state for state in DeliveryState if state.is_in_work and state.is_settled}
    assert both == {DeliveryState.REJECTED, DeliveryState.CONFORM_FAILED, DeliveryState.AUDIT_FAILED}
    neither = {state for state in DeliveryState if not state.is_in_work and not state.is_settled}
    assert neither == {DeliveryState.RECEIVING, DeliveryState.ACCEPTED}


def test_good_news_needs_nobody() -> None:
    for state in DeliveryState:
        if state.is_good_news:
            assert not NightOutcome(state).needs_a_person


def test_every_state_has_a_sentence() -> None:
    assert all(state.sentence.endswith(".") for state in DeliveryState)
