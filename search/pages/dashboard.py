"""optuna-dashboard on this machine only."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from search.pages.local_server import DEFAULT_PORT, HOST, App, LocalServer
from search.pages.told_studies import ToldStudies
from search.storage.artifact_places import SeveralPlaces, place_of
from search.storage.artifacts import ArtifactKeeper
from search.storage.attributes import ARTIFACTS, FORMAT
from search.storage.database import open_storage, storage_errors
from search.storage.urls import artifacts_dir, masked, storage_url
from spaces.errors import StudyError


class Dashboard(LocalServer):
    """optuna-dashboard that is ready to be run.

    Args:
        storage: Database: a file or an SQLAlchemy URL.
        host: Loopback address to listen on.
        port: Wanted port; 0 for any. The next free one is taken if it is in use.

    Raises:
        ConfigError: If ``host`` is not loopback.
        StorageError: If the database cannot be opened.
        StudyError: If it holds no study yet.
        SearchError: If no port is free.
    """

    path = "/dashboard"

    def __init__(self, storage: str | Path, host: str = HOST, port: int = DEFAULT_PORT) -> None:
        super().__init__(lambda: _dashboard_app(storage), "The dashboard", host=host, port=port)


def _dashboard_app(storage: str | Path) -> App:
    """Return optuna-dashboard's app, with the artifacts beside the database."""
    import optuna
    from optuna_dashboard import wsgi

    opened = open_storage(storage, must_exist=True)
    url = storage_url(storage)
    with storage_errors(url):
        if not optuna.get_all_study_names(opened):
            opened.engine.dispose()
            raise StudyError(
                f"The dashboard needs a study to show, but {masked(url)} holds none. Start one: "
                f"search run fruit --trials 100"
            )
    artifacts = artifacts_dir(url)
    with suppress(OSError):  # Needed for what people upload only; looking works without.
        artifacts.mkdir(exist_ok=True)
    with storage_errors(url):
        studies = opened.get_all_studies()
    ours = [one.user_attrs for one in studies if FORMAT in one.user_attrs]
    buckets = {attrs[ARTIFACTS] for attrs in ours if ARTIFACTS in attrs}
    place = SeveralPlaces([place_of(url, {ARTIFACTS: one}) for one in (None, *sorted(buckets))])
    app: App = wsgi(opened, artifact_store=place)
    return ToldStudies(app, opened.engine, ArtifactKeeper(place, ""))
