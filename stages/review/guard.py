"""Who may talk to the review page: the person who started it, from this machine, and no other web page."""

from __future__ import annotations

import secrets
from hmac import compare_digest

from flask import Response, request

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_UNKNOWN = (
    "This page is for the person who started boxgp review: open the link that its terminal shows. "
    "Where the review was started anew, its link is a new one."
)


class Guard:
    """Answers requests that are refused, and hands out the cookie for the token.

    Other users of the machine reach the port as well, so each request needs the secret. Other web pages in the same
    browser could make it send requests: the cookie does not travel with these (SameSite), a name that was rebound to
    127.0.0.1 shows in Host, and what changes something needs our own Origin.
    """

    def __init__(self, port: int) -> None:
        self.token = secrets.token_urlsafe(32)
        self._session = secrets.token_urlsafe(32)
        self._cookie = f"boxgp_review_{port}"  # cookies are shared by all ports of a host
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.link = f"http://127.0.0.1:{port}/?token={self.token}"

    def refuse(self) -> Response | None:
        """The answer to a request that may not go on, None for one that may."""
        if request.host not in self._hosts:
            return _text("This address is not the one that boxgp review shows in its terminal.", 403)
        token = request.args.get("token")
        if request.path == "/" and request.method == "GET" and token is not None and _equal(token, self.token):
            return self._let_in()
        if not _equal(request.cookies.get(self._cookie, ""), self._session):
            return _text(_UNKNOWN, 401)
        if request.method not in {"GET", "HEAD"}:
            if request.headers.get("Origin") != f"http://{request.host}":
                return _text("Changes are taken from the review page alone.", 403)
            if request.mimetype != "application/json":
                return _text("Changes are taken as application/json.", 415)
        return None

    def _let_in(self) -> Response:
        # to an address without the token, so that it stays out of bookmarks, histories and screen shots
        answer = Response(status=302, headers={"Location": "/"})
        answer.set_cookie(self._cookie, self._session, httponly=True, samesite="Strict")
        return answer


def harden(response: Response) -> Response:
    """Tells the browser to load nothing from elsewhere, to run no script of the page's text and to keep nothing."""
    response.headers.update(_HEADERS)
    return response


def _equal(given: str, secret: str) -> bool:
    return compare_digest(given.encode(), secret.encode())


def _text(message: str, status: int) -> Response:
    return Response(message + "\n", status, mimetype="text/plain")
