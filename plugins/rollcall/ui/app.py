"""The Rollcall page inside Airflow: how every district stands, and what an operator decides about it.

Served behind Airflow's login. To see a district takes the permission to read its DAG, to press anything on its page the
one to edit it.
"""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, FastAPI, Form, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response, StreamingResponse
from pydantic import BeforeValidator, StringConstraints
from starlette.exceptions import HTTPException as HttpError

from rollcall import ledger
from rollcall.airflow_api import AirflowUnreachableError
from rollcall.archive.content import read_entry
from rollcall.archive.store import Archive
from rollcall.codes import catalog
from rollcall.conform.rollback import CannotRollBackError
from rollcall.decision.holds import hold_of
from rollcall.decision.settle import CannotSettleError
from rollcall.districts import DAG_PREFIX, DistrictFileError, dag_id_of, load_district
from rollcall.ledger import Delivery, UnknownDeliveryError
from rollcall.onboarding.acts import acts_of
from rollcall.onboarding.district_file import OnboardingError
from rollcall.pages.rule_book import PAGES
from rollcall.report.receipt import receipt_of
from rollcall.report.receipt_page import receipt_html
from rollcall.report.status import DistrictState
from rollcall.settings import settings
from rollcall.ui import access, district, metrics, overview, pressing
from rollcall.ui.pages import page
from rollcall.ui.runbooks import SUFFIX, picture, runbook
from rollcall.warehouse import Connection, WarehouseError, connect

STATIC = Path(__file__).parent / "static"
TOLD = "rollcall_told"
"""The cookie that carries what became of a press to the page that is shown after it."""
LONGEST_REASON = 500
MEDIA_TYPES = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
HEADERS = {
    # Nothing from a network, no script or style but our own files, framed by Airflow only.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
RECEIPT_HEADERS = HEADERS | {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
}
Why = Annotated[str, Form(), StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_REASON)]
Night = Annotated[date | None, BeforeValidator(lambda text: text or None)]
"""A night of an address; the form sends a blank one for now."""
UNREADABLE = f"A night is written as 2026-11-20; a reason has between 1 and {LONGEST_REASON} characters."
Found = TypeVar("Found")
REFUSALS = (
    AirflowUnreachableError,
    CannotRollBackError,
    CannotSettleError,
    DistrictFileError,
    OnboardingError,
    UnknownDeliveryError,
    WarehouseError,
)
"""What a press may end in; each says why, and that nothing else was done."""


def make_app() -> FastAPI:
    """The application, for Airflow to mount.

    Airflow does not put plugins' applications behind its login; each route has to ask for it.
    """
    # No pages about the application itself: nobody would have to log in for them.
    app = FastAPI(title="Rollcall", docs_url=None, redoc_url=None, openapi_url=None)
    sees = [Depends(requires_access_dag("GET"))]
    presses = [Depends(requires_access_dag("PUT")), Depends(access.requires_token)]
    app.get("/")(show_districts)
    app.get("/metrics")(show_metrics)
    app.get("/static/{name}")(serve_static)
    app.get("/rules/{name}")(show_rules)
    app.get("/operate/{name}")(show_runbook)
    app.get("/images/{name}")(show_picture)
    app.get("/dags/{dag_id}", dependencies=sees)(show_district)
    app.get("/dags/{dag_id}/deliveries/{delivery_id}/receipt", dependencies=sees)(show_receipt)
    app.get("/dags/{dag_id}/deliveries/{delivery_id}/changes.csv", dependencies=sees)(download_changes)
    app.get("/dags/{dag_id}/deliveries/{delivery_id}/archive.json", dependencies=sees)(show_archive_entry)
    app.post("/dags/{dag_id}/deliveries/{delivery_id}/decision", dependencies=presses)(press_decision)
    app.post("/dags/{dag_id}/deliveries/{delivery_id}/again", dependencies=presses)(press_again)
    app.post("/dags/{dag_id}/rollback", dependencies=presses)(press_rollback)
    app.post("/dags/{dag_id}/pause", dependencies=presses)(press_pause)
    app.post("/dags/{dag_id}/resume", dependencies=presses)(press_resume)
    app.add_exception_handler(HttpError, _say_refusal)
    app.add_exception_handler(RequestValidationError, _say_unreadable)
    app.add_exception_handler(WarehouseError, _say_trouble)
    return app


def show_metrics(user: GetUserDep) -> Response:
    """What Prometheus reads, of the districts that its account may see."""
    with connect() as connection:
        found = _readable(user, overview.states(connection, None))
        return Response(metrics.metrics(connection, found), media_type=metrics.CONTENT_TYPE, headers=HEADERS)


def show_districts(
    request: Request, user: GetUserDep, night: Night = None, state: str = "", q: str = ""
) -> HTMLResponse:
    """The list: now, or as a night ended."""
    with connect() as connection:
        found = _readable(user, overview.states(connection, night))
        shown = overview.overview(connection, found, night, state, q.strip())
    return _html(page("districts", request, shown=shown, night=night, wanted=state, search=q.strip()))


def show_district(
    request: Request, user: GetUserDep, dag_id: str, delivery: int | None = None, before: Night = None
) -> HTMLResponse:
    """A district: how it stands, its nights, and one delivery in full."""
    district_id = _district_of(dag_id)
    with connect() as connection:
        standing = next((each for each in overview.states(connection, None) if each.district == district_id), None)
        if standing is None:
            raise HTTPException(404, "Rollcall knows no such district.")
        chosen = _or_404(lambda: district.delivery_to_show(connection, district_id, delivery))
        html = page(
            "district",
            request,
            dag_id=dag_id,
            line=overview.overview(connection, [standing], None).lines[0],
            nights=district.nights(connection, district_id, before),
            shown=district.in_full(connection, chosen) if chosen else None,
            publications=district.publications_before(connection, district_id),
            pauses=district.pauses_of(district_id),
            acts=acts_of(connection, district_id)[: district.ACTS_LISTED],
            may_press=access.may_press(user, district_id),
            token=access.token_of(user),
            told=access.signed(request.cookies.get(TOLD, "")),
            before=before,
        )
    response = _html(html)
    response.delete_cookie(TOLD, path=request.scope["root_path"] or "/")
    return response


def show_receipt(dag_id: str, delivery_id: int) -> HTMLResponse:
    """A delivery's receipt, as the ledger has it now."""
    with connect() as connection:
        delivery = _delivery(connection, dag_id, delivery_id)
        try:
            config = load_district(settings().districts_dir / f"{delivery.district_id}.yaml")
        except DistrictFileError as error:
            raise HTTPException(404, f"{error} Without it there is no receipt.") from None
        return HTMLResponse(receipt_html(receipt_of(connection, config, delivery)), headers=RECEIPT_HEADERS)


def download_changes(dag_id: str, delivery_id: int) -> StreamingResponse:
    """The list of the ids that a held delivery would change."""
    with connect() as connection:
        delivery = _delivery(connection, dag_id, delivery_id)
        hold = hold_of(connection, delivery_id)
    if hold is None or hold.change_list is None:
        raise HTTPException(404, "This delivery has no change list.")
    archive, name = Archive.of(delivery.district_id), hold.change_list
    return StreamingResponse(
        archive.blocks(name),
        media_type="text/csv",
        headers=HEADERS | {"Content-Disposition": f'attachment; filename="{name.rpartition("/")[2]}"'},
    )


def show_archive_entry(dag_id: str, delivery_id: int) -> Response:
    """Where a delivery's files lie in the archive, and their hashes."""
    entry = read_entry(_own(dag_id, delivery_id))
    if entry is None:
        raise HTTPException(404, "The archive has no entry of this delivery.")
    return Response(entry, media_type="application/json", headers=HEADERS)


def show_rules(request: Request, _: GetUserDep, name: str) -> HTMLResponse:
    """One page of the rule book; a runbook's links have the suffix of its file."""
    name = name.removesuffix(SUFFIX)
    codes = [code for code in catalog().values() if code.page == name]
    if not codes:
        raise HTTPException(404, "The rule book has no such page.")
    return _html(page("rules", request, title=PAGES[name], codes=codes, name=name))


def show_runbook(request: Request, _: GetUserDep, name: str) -> HTMLResponse:
    """What to do about what an operator sees."""
    text = runbook(name)
    if text is None:
        raise HTTPException(404, "There is no such runbook.")
    return _html(page("runbook", request, text=text))


def show_picture(_: GetUserDep, name: str) -> FileResponse:
    """A picture of a runbook."""
    path = picture(name)
    if path is None:
        raise HTTPException(404, "There is no such picture.")
    return FileResponse(path, media_type="image/png", headers=HEADERS)


def serve_static(name: str) -> FileResponse:
    """The page's own script, styles and icon: nothing of anybody's in them, so nobody has to be known."""
    if name not in MEDIA_TYPES:
        raise HTTPException(404, "There is no such file.")
    headers = HEADERS | {"Cache-Control": "no-cache"}
    return FileResponse(STATIC / name, media_type=MEDIA_TYPES[name], headers=headers)


def press_decision(
    request: Request,
    user: GetUserDep,
    dag_id: str,
    delivery_id: int,
    choice: Annotated[Literal["approved", "discarded"], Form()],
    why: Why,
) -> Response:
    """Approve or discard a held delivery."""
    _own(dag_id, delivery_id)
    return _press(request, dag_id, lambda: pressing.decide(delivery_id, choice, user.get_name(), why), delivery_id)


def press_again(request: Request, user: GetUserDep, dag_id: str, delivery_id: int, why: Why) -> Response:
    """Take a delivery again from the archive."""
    delivery = _own(dag_id, delivery_id)
    return _press(request, dag_id, lambda: pressing.take_again(delivery, user.get_name(), why), delivery_id)


def press_rollback(
    request: Request, user: GetUserDep, dag_id: str, sequence: Annotated[int, Form()], why: Why
) -> Response:
    """Publish an earlier roster again."""
    district_id = _district_of(dag_id)
    return _press(request, dag_id, lambda: pressing.go_back(district_id, sequence, user.get_name(), why))


def press_pause(
    request: Request,
    user: GetUserDep,
    dag_id: str,
    last_night: Annotated[date, Form()],
    why: Why,
    first_night: Annotated[Night, Form()] = None,
) -> Response:
    """Expect nothing from the district for a while."""
    district_id = _district_of(dag_id)
    return _press(request, dag_id, lambda: pressing.pause(district_id, first_night, last_night, user.get_name(), why))


def press_resume(
    request: Request, user: GetUserDep, dag_id: str, why: Why, night: Annotated[Night, Form()] = None
) -> Response:
    """Expect the district's deliveries again."""
    district_id = _district_of(dag_id)
    return _press(request, dag_id, lambda: pressing.resume(district_id, night, user.get_name(), why))


def _readable(user: BaseUser, found: list[DistrictState]) -> list[DistrictState]:
    """Those of some districts that a user may see."""
    allowed = access.readable(user, [each.district for each in found])
    return [each for each in found if each.district in allowed]


def _press(
    request: Request, dag_id: str, act: Callable[[], list[str]], delivery_id: int | None = None
) -> RedirectResponse:
    """Do something, and show the district's page with what became of it: loading that again does nothing twice."""
    try:
        told = act()
    except REFUSALS as error:
        told = [str(error)]
    root = request.scope["root_path"]
    answer = RedirectResponse(
        f"{root}/dags/{dag_id}" + (f"?delivery={delivery_id}" if delivery_id is not None else ""),
        status_code=303,
        headers=HEADERS,
    )
    answer.set_cookie(
        TOLD, access.sign(told), path=root or "/", httponly=True, secure=request.url.scheme == "https",
        samesite="strict", max_age=60,
    )  # fmt: skip
    return answer


def _district_of(dag_id: str) -> str:
    """The district of a DAG."""
    if not dag_id.startswith(DAG_PREFIX):
        raise HTTPException(404, "This DAG is of no district.")
    return dag_id.removeprefix(DAG_PREFIX)


def _own(dag_id: str, delivery_id: int) -> Delivery:
    with connect() as connection:
        return _delivery(connection, dag_id, delivery_id)


def _delivery(connection: Connection, dag_id: str, delivery_id: int) -> Delivery:
    """A delivery of the DAG's own district: permissions were asked for that one (law 6)."""
    found = _or_404(lambda: ledger.delivery(connection, delivery_id))
    if dag_id_of(found.district_id) != dag_id:
        raise HTTPException(404, "This district has no such delivery.")
    return found


def _or_404(look: Callable[[], Found]) -> Found:
    try:
        return look()
    except UnknownDeliveryError as error:
        raise HTTPException(404, str(error)) from None


def _html(html: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(html, status_code=status, headers=HEADERS)


def _say_refusal(request: Request, error: Exception) -> Response:
    """A page for people in the place of JSON."""
    assert isinstance(error, HttpError)  # noqa: S101 -- as it is registered
    return _html(page("message", request, message=error.detail, status=error.status_code), error.status_code)


def _say_unreadable(request: Request, _: Exception) -> Response:
    """What was asked for, or filled in, does not say anything; it is not quoted."""
    return _html(page("message", request, message=UNREADABLE, status=422), 422)


def _say_trouble(request: Request, error: Exception) -> Response:
    """The warehouse is away; what it said is redacted."""
    return _html(page("message", request, message=str(error), status=503), 503)
