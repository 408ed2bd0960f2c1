"""The page to try the API out: served whole to everybody, with the session's token; its files come from the package."""

import re

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from tests.portal.conftest import World

URL = "/devcenter-api-2.0"


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_it_is_there_with_and_without_a_session(world: World, admin: Client, language: str) -> None:
    visitor = Client()
    for client in (admin, visitor):
        client.cookies["harbor_lang"] = language
        page = client.get(URL)
        text = page.content.decode()
        assert page.status_code == 200 and f'<html lang="{language}"' in text
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", text)
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
    assert "<bdi>root</bdi>" in admin.get(URL).content.decode()
    assert "<bdi>" not in visitor.get(URL).content.decode()


def test_its_token_is_good_for_a_call(world: World, admin: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = admin.cookies
    token = re.search(r'data-token="([^"]+)"', strict.get(URL).content.decode())
    assert token
    body = {"project_name": "from-the-page"}
    for headers, expected in (({}, 403), ({"X-Harbor-CSRF-Token": token[1]}, 201)):
        response = strict.post("/api/v2.0/projects", body, "application/json", headers=headers)
        assert response.status_code == expected, response.content


def test_every_page_leads_to_it(world: World, admin: Client) -> None:
    assert f'href="{URL}"' in admin.get("/harbor/projects").content.decode()


@pytest.mark.parametrize("name", ["swagger-ui.css", "swagger-ui-bundle.js"])
def test_swagger_ui_is_installed(name: str) -> None:
    assert finders.find(f"swagger-ui/{name}")
