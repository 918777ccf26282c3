"""The OpenAPI document is valid, without a warning, and tells how to authenticate."""

from pathlib import Path

import yaml
from django.core.management import call_command


def test_the_document_is_valid_and_complete(tmp_path: Path):
    file = tmp_path / "schema.yml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(file))
    document = yaml.safe_load(file.read_text())
    schemes = {"bearerKey", "tokenKey", "headerKey", "bearerToken"}
    assert set(document["components"]["securitySchemes"]) == schemes
    classic = [path for path in document["paths"] if not path.startswith("/api/")]
    assert len(classic) == 10
    for path in classic:
        for operation in document["paths"][path].values():
            assert operation["tags"] == ["classic"]
    assert "security" not in document["paths"]["/health"]["get"]
    assert len(document["paths"]["/orders"]["post"]["security"]) == 4
    assert document["paths"]["/api/v1/auth/me"]["get"]["security"] == [{"bearerToken": []}]
    assert "security" not in document["paths"]["/api/v1/auth/token"]["post"]
