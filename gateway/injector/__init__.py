"""The injector: a mutating admission webhook that puts the gateway into pods that ask for it.

    API server ─▶ server ─▶ review ─▶ admission ─▶ review ─▶ API server
                                       │  wishes    annotations → what the pod asks for
                                       │  fitness   what stands against a sidecar in this pod
                                       └  patch     sidecar and wishes → JSON Patch

    template      the sidecar as the chart rendered it, checked
    verdicts      every way a review ends
    pods          how a pod is read
    generations   a CA and the certificate that it signed; which is served, when the next is due
    upkeep        keeps generations in a Secret and the webhook's caBundle, with all replicas
    kubernetes    the API client: two objects, read and updated
    places        how many connections there may be, and when one ends
    files         a mounted file or certificate that is read again when it changes
    tls           the certificate of the next handshake
    settings, metrics, run

`server`, `places` and `kubernetes` touch the network, `files` reads files, `upkeep` is handed the
API. What decides about a pod and about certificates is pure.
"""
