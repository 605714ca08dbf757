"""Base class of the namespaces of uploaded files, voices and jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, Optional, TypeVar

from .._support.checks import suggests_keywords
from ..errors import NotFoundError
from .arguments import check_id, page_params
from .http import Api, Call
from .records import Count, Entity, Page, all_items

Item = TypeVar("Item", bound=Entity)
Items = TypeVar("Items", bound="Page[Any]")


class Collection(Api, Generic[Item, Items]):
    """Base of namespaces whose items are listed page by page, counted, and deleted by id."""

    # set by each subclass: path, argument that holds an id, class of an item and of a page
    _path: str
    _id_name: str
    _item: type[Item]
    _page: type[Items]

    def get(self, item_id: str, /) -> Item:
        """Return an item.

        Raises
            NotFoundError: there is no such item.
            SonioxHttpError: the call failed otherwise.
        """
        return self._http.json(Call("GET", self._item_path(item_id)), self._item.from_raw)

    def get_or_none(self, item_id: str, /) -> Optional[Item]:
        """Return an item, `None` if there is no such item.

        Raises
            SonioxHttpError: the call failed.
        """
        try:
            return self.get(item_id)
        except NotFoundError:
            return None

    @suggests_keywords()
    def list(self, limit: int = 100, cursor: Optional[str] = None) -> Items:
        """Return one page of at most `limit` (1 to 1000) items, from `cursor` on.

        Raises
            SonioxHttpError: the call failed.
        """
        call = Call("GET", self._path, params=page_params(limit, cursor))
        return self._http.json(call, self._page.from_raw)

    @suggests_keywords()
    def list_all(self, limit: int = 100) -> Iterator[Item]:
        """Yield all items, requesting `limit` at a time.

        Raises
            SonioxHttpError: a call failed.
        """
        page_params(limit)
        return all_items(lambda cursor: self.list(limit, cursor))

    def count(self) -> Count:
        """Return how many items there are.

        Raises
            SonioxHttpError: the call failed.
        """
        return self._http.json(Call("GET", f"{self._path}/count"), Count.from_raw)

    def delete(self, item_id: str, /) -> None:
        """Delete an item.

        Raises
            NotFoundError: there is no such item.
            SonioxHttpError: the call failed otherwise.
        """
        self._http.done(Call("DELETE", self._item_path(item_id)))

    def delete_if_exists(self, item_id: str, /) -> None:
        """Delete an item, if there is one.

        Raises
            SonioxHttpError: the call failed.
        """
        try:
            self.delete(item_id)
        except NotFoundError:
            return

    @suggests_keywords()
    def delete_all(self, limit: int = 100) -> None:
        """Delete all items, however many; stops at the first that cannot be deleted.

        `limit` (1 to 1000) is the size of the pages that they are listed in, not of what is
        deleted.

        Raises
            SonioxHttpError: a call failed.
        """
        # listed first: deletions would shift what a cursor refers to
        for item_id in [item.id for item in self.list_all(limit)]:
            self.delete_if_exists(item_id)

    def _item_path(self, item_id: str) -> str:
        return f"{self._path}/{check_id(self._id_name, item_id)}"
