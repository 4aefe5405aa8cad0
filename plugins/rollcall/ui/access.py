"""Who may see and press what: Airflow's permissions on a district's DAG, and a token against forged forms."""

from collections.abc import Iterable
from typing import Annotated, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.configuration import conf
from fastapi import Form, HTTPException
from itsdangerous import BadSignature, URLSafeTimedSerializer

from rollcall.districts import dag_id_of

HOURS_TO_PRESS = 12
FORGED = "This page is too old, or the form is not from here. Nothing was done: load the page again, then press."


def readable(user: BaseUser, district_ids: Iterable[str]) -> set[str]:
    """The districts whose DAG a user may read.

    Args:
        user: Airflow's user.
        district_ids: The districts in question.
    """
    manager = get_auth_manager()
    dags = manager.get_authorized_dag_ids(user=user, method="GET")
    # Of a district whose DAG Airflow does not know, for its file is broken or gone, it is asked one by one.
    return {each for each in district_ids if dag_id_of(each) in dags or _may(user, each, "GET")}


def may_press(user: BaseUser, district_id: str) -> bool:
    """Whether a user may edit a district's DAG."""
    return _may(user, district_id, "PUT")


def _may(user: BaseUser, district_id: str, method: Literal["GET", "PUT"]) -> bool:
    return get_auth_manager().is_authorized_dag(method=method, details=DagDetails(id=dag_id_of(district_id)), user=user)


def token_of(user: BaseUser) -> str:
    """What a form carries that only a page made for this user can have."""
    return _signer("rollcall.press").dumps(user.get_id())


def requires_token(user: GetUserDep, token: Annotated[str, Form()] = "") -> None:
    """Refuse a form that no page of ours made for this user.

    Raises:
        HTTPException: 403.
    """
    try:
        made_for = _signer("rollcall.press").loads(token, max_age=HOURS_TO_PRESS * 3600)
    except BadSignature:
        made_for = None
    if made_for != user.get_id():
        raise HTTPException(403, FORGED)


def sign(sentences: list[str]) -> str:
    """Sentences for a cookie, so that nobody else can put words on the page."""
    return _signer("rollcall.told").dumps(sentences)


def signed(text: str) -> list[str]:
    """The sentences of a cookie; none when it is not ours, or old."""
    try:
        sentences: list[str] = _signer("rollcall.told").loads(text, max_age=60)
    except BadSignature:
        return []
    return sentences


def _signer(purpose: str) -> URLSafeTimedSerializer:
    """Signs with the key that all of Airflow's API servers share."""
    return URLSafeTimedSerializer(conf.get_mandatory_value("api", "secret_key"), salt=purpose)
