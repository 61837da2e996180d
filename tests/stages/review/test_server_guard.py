"""Who may talk to the server of the review page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.stages.review.small_run import ORIGIN, PORT, SCENE, Page, small_run

CHANGE = {"regions": [1], "owner": 0, "seen": 0, "superpoints": "regions"}
ASSIGN = f"/api/scenes/{SCENE}/assign"


@pytest.fixture
def page(tmp_path: Path) -> Page:
    """A page that was let in."""
    return Page(small_run(tmp_path))


def test_the_token_is_changed_for_a_cookie(page: Page) -> None:
    page.client.delete_cookie(f"boxgp_review_{PORT}", domain="127.0.0.1")
    assert page.get("/").status_code == 401
    answer = page.get(f"/?token={page.guard.token}")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"boxgp_review_{PORT}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert page.guard.token not in cookie
    assert page.get("/").status_code == 200


@pytest.mark.parametrize("path", ["/", "/?token=wrong", "/?token=", "/?token=é", "/page/page.js", "/api/run", ASSIGN])
def test_nothing_without_cookie(page: Page, path: str) -> None:
    page.client.delete_cookie(f"boxgp_review_{PORT}", domain="127.0.0.1")
    answer = page.get(path)
    assert answer.status_code == 401
    assert "open the link" in answer.text
    page.client.set_cookie(f"boxgp_review_{PORT}", page.guard.token, domain="127.0.0.1")
    assert page.get(path).status_code == 401  # the token itself is no cookie


def test_the_token_opens_the_page_alone(page: Page) -> None:
    page.client.delete_cookie(f"boxgp_review_{PORT}", domain="127.0.0.1")
    assert page.get(f"/api/run?token={page.guard.token}").status_code == 401


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}"])
def test_another_host_is_refused(page: Page, host: str) -> None:
    for path in ("/", f"/?token={page.guard.token}", "/api/run"):
        assert page.client.get(path, base_url=ORIGIN, headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", f"http://127.0.0.1:{PORT + 1}", ""])
def test_changes_from_another_page_are_refused(page: Page, origin: str | None) -> None:
    page.post(ASSIGN, CHANGE, status=403, origin=origin)
    assert page.state()["seen"] == 0


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_changes_are_json(page: Page, kind: str | None) -> None:
    answer = page.client.post(
        ASSIGN, base_url=ORIGIN, data=json.dumps(CHANGE), content_type=kind, headers={"Origin": ORIGIN}
    )
    assert answer.status_code == 415
    assert page.state()["seen"] == 0


@pytest.mark.parametrize("content", ["{", "[]", "1", '"text"', ""])
def test_json_that_is_no_request(page: Page, content: str) -> None:
    answer = page.client.post(
        ASSIGN, base_url=ORIGIN, data=content, content_type="application/json", headers={"Origin": ORIGIN}
    )
    assert answer.status_code == 400
    assert json.loads(answer.text)["kind"] == "request"


def test_every_answer_is_hardened(page: Page) -> None:
    answers = [page.get(path) for path in ("/", "/page/page.js", "/api/run", "/nowhere", f"/api/scenes/{SCENE}/points")]
    page.client.delete_cookie(f"boxgp_review_{PORT}", domain="127.0.0.1")
    answers.append(page.get("/"))
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_page_needs_nothing_from_elsewhere(page: Page) -> None:
    text = page.get("/").text
    assert "http" not in text.replace("http-equiv", "")
    assert "<script>" not in text
    assert "style=" not in text


@pytest.mark.parametrize("path", ["/page/nothing.js", "/page/..%2fserver.py", "/page/../server.py", "/nowhere"])
def test_only_the_files_of_the_page_are_served(page: Page, path: str) -> None:
    assert page.get(path).status_code == 404


def test_all_files_of_the_page_are_served(page: Page) -> None:
    kinds = {"page.css": "text/css", "page.js": "text/javascript", "view.js": "text/javascript"}
    for name, kind in kinds.items():
        answer = page.get(f"/page/{name}")
        assert (answer.status_code, answer.mimetype) == (200, kind)
