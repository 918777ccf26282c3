"""What pages may load and run (Content-Security-Policy)."""

from csp.constants import NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE

# Scripts are files of ours, or carry the nonce of the response. Nothing comes from elsewhere.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "style-src-attr": [UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
# What libraries need beyond that, by the beginning of a path. Unfold runs on Alpine.js, which
# compiles the expressions in their attributes; all three write style elements.
CSP_ADDED: dict[str, dict[str, list[str]]] = {
    "/admin/": {"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]},
    "/docs": {"style-src": [UNSAFE_INLINE]},
    "/redoc": {"style-src": [UNSAFE_INLINE], "worker-src": ["blob:"]},
}
