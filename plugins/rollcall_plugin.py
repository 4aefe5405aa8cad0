"""What Rollcall adds to Airflow: the page that documents the warehouse, in the navigation and behind the login."""

from airflow.plugins_manager import AirflowPlugin

PATH = "warehouse-docs"


class RollcallPlugin(AirflowPlugin):
    """Found by Airflow in its plugins folder, and made in each of its processes."""

    name = "rollcall"
    # Relative, so that it works behind a proxy that gives Airflow a path of its own.
    external_views = [  # noqa: RUF012 - Airflow's own form
        {
            "name": "Warehouse docs",
            "href": f"{PATH}/",
            "url_route": PATH,
            "destination": "nav",
            "category": "docs",
        }
    ]

    @property
    def fastapi_apps(self) -> list[dict[str, object]]:
        """The page's application, made only in the process that serves it: its imports cost the others seconds."""
        from rollcall.ui.warehouse_docs import make_app

        return [{"app": make_app(), "url_prefix": f"/{PATH}", "name": "Warehouse docs"}]
