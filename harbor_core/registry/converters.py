"""Path converters in the spec's grammar; what does not match reaches no view but the catch-all 404."""

from harbor_core.lib import names


class _Text:
    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class RepositoryConverter(_Text):
    regex = names.REPOSITORY

    def to_python(self, value: str) -> str:
        if len(value) > names.REPOSITORY_MAX:
            raise ValueError("repository name too long")
        return value


class ReferenceConverter(_Text):
    regex = r"[^/]{1,512}"


class UploadConverter(_Text):
    regex = names.UPLOAD_ID
