"""What Rollcall adds to Airflow: its page, and the one that documents the warehouse, both behind the login."""

from airflow.plugins_manager import AirflowPlugin

PAGE = "rollcall"
DOCS = "warehouse-docs"


class RollcallPlugin(AirflowPlugin):
    """Found by Airflow in its plugins folder, and made in each of its processes."""

    name = "rollcall"
    # Relative, so that it works behind a proxy that gives Airflow a path of its own.
    external_views = [  # noqa: RUF012 - Airflow's own form
        {
            "name": "Rollcall",
            "href": f"{PAGE}/",
            "url_route": PAGE,
            "destination": "nav",
            "nav_top_level": True,
            "icon": f"{PAGE}/static/icon.svg",
        },
        {
            "name": "Rollcall",
            "href": f"{PAGE}/dags/{{DAG_ID}}",
            "url_route": "district",
            "destination": "dag",
        },
        {
            "name": "Warehouse docs",
            "href": f"{DOCS}/",
            "url_route": DOCS,
            "destination": "nav",
            "category": "docs",
        },
    ]

    @property
    def fastapi_apps(self) -> list[dict[str, object]]:
        """The pages' applications, made only in the process that serves them: their imports cost the others seconds."""
        from rollcall.ui.app import make_app
        from rollcall.ui.warehouse_docs import make_app as make_docs

        return [
            {"app": make_app(), "url_prefix": f"/{PAGE}", "name": "Rollcall"},
            {"app": make_docs(), "url_prefix": f"/{DOCS}", "name": "Warehouse docs"},
        ]
