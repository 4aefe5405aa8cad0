"""The warehouse's documentation, for whoever may log in to Airflow."""

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse

from rollcall.settings import settings

HEADERS = {
    # dbt's page has everything in itself. Whatever else it might ask for, a tracker say, the browser refuses.
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval';"
    " style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'",
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
}


def make_app() -> FastAPI:
    """The application: one page, for those who may see Airflow's user interface.

    Airflow does not put plugins' applications behind its login; they have to ask for it themselves.
    """
    # No pages about the application itself: nobody would have to log in for them.
    app = FastAPI(title="Warehouse docs", docs_url=None, redoc_url=None, openapi_url=None)
    app.get("/", dependencies=[Depends(requires_access_view(AccessView.WEBSITE))])(_page)
    return app


def _page() -> FileResponse:
    """The page that the last deploy wrote."""
    path = settings().warehouse_docs
    if not path.exists():
        raise HTTPException(404, "There is no documentation yet: `rollcall deploy` writes it.")
    return FileResponse(path, headers=HEADERS)
