"""Parts of a path that only the grammar of names tells apart."""

from django.urls import register_converter

from harbor_core.lib import names


class RepositoryConverter:
    regex = names.REPOSITORY

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class DigestConverter(RepositoryConverter):
    regex = names.DIGEST


register_converter(RepositoryConverter, "portal_repository")
register_converter(DigestConverter, "portal_digest")
