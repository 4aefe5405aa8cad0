"""Great Expectations' context for the gate: in memory, without stores, sites, progress bars and analytics."""

from great_expectations.data_context.data_context.context_factory import set_context
from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)


class UnsavedContext(EphemeralDataContext):
    """A context that does not write its configuration down, which the library does whenever a table is added."""

    def _save_project_config(self) -> None:
        """Leave it: nobody would read it."""


def make_context() -> UnsavedContext:
    """A fresh context, which becomes the library's current one."""
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    context = UnsavedContext(config)
    set_context(context)
    return context
