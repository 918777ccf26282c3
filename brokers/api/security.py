"""Keys and tokens in the OpenAPI document. Imported where URLs are served."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """Names the three forms of a key, and the token of a person, in the OpenAPI document."""

    target_class = "brokers.api.authentication.ApiKeyAuthentication"
    name = ["bearerKey", "tokenKey", "headerKey", "bearerToken"]

    def get_security_requirement(self, auto_schema: object) -> list[dict[str, list[str]]]:
        """One of them is enough (one dictionary of all would ask for all)."""
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: object) -> list[dict[str, str]]:
        return [
            {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer <key>`"},
            {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "description": "`Authorization: Token <key>`",
            },
            {"type": "apiKey", "in": "header", "name": "X-API-KEY"},
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "`access` of `POST /api/v1/auth/token`",
            },
        ]
