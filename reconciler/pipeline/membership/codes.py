"""What the codes of membership mean and what to do; docs/runbook.md is made from ``CODES``.

The classes stand where they are raised: in ``trust`` (tokens), ``member`` (both sides' connections),
``repository`` (proposals) and ``refused`` here.

>>> CODES["FW1741"][0]
'The join token has expired, or is not valid yet.'
"""

# code -> (meaning, what to do)
CODES: dict[str, tuple[str, str]] = {
    "FW1740": (
        "Not a join token of this primary: cut, altered, or signed otherwise than with its key and ES256.",
        "Copy the token whole. If it was, ask for a new one, and find out who altered this one.",
    ),
    "FW1741": (
        "The join token has expired, or is not valid yet.",
        "Make a new one with `fleetward token create`; if it is new, compare the clocks of both sides.",
    ),
    "FW1742": (
        "The join token is another primary's.",
        "Join the primary that made it, or ask this one's administrators for a token.",
    ),
    "FW1743": (
        "The join token was used already.",
        "If it was this cluster that used it, its registration is proposed: see branch `join/NAME`. If not, "
        "somebody else had the token: look at that branch before anybody merges it, then make a new token.",
    ),
    "FW1744": (
        "The log does not know the join token, or it was revoked.",
        "Make a new one with `fleetward token create`.",
    ),
    "FW1745": ("The join token is for a cluster of another name.", "Use that name, or make another token."),
    "FW1746": (
        "The cluster's name cannot be used.",
        "Choose a DNS-1123 label: lower-case letters, digits and '-', at most 63 characters.",
    ),
    "FW1747": (
        "A cluster of this name is registered or proposed already.",
        "Choose another name. For a cluster that was rebuilt, remove its old registration first; an old "
        "proposal is given up by deleting its branch `join/NAME`.",
    ),
    "FW1748": (
        "This cluster is registered or proposed already, under another name.",
        "Use the registration that there is, or remove it first.",
    ),
    "FW1749": (
        "The API server's URL leads to an address that the primary does not connect to.",
        "Name an address of the API server itself: not link-local, multicast, unspecified or a metadata "
        "service; loopback only where `fleetward serve --allow-loopback` says so.",
    ),
    "FW1750": (
        "The primary cannot reach the member's API server, or cannot believe it.",
        "The message has the code of the connection's own failure; see FW1701 to FW1719.",
    ),
    "FW1751": (
        "Another cluster answers at the API server's URL than the one that asks to join.",
        "Check --api-server; if it is right, somebody answers in its place.",
    ),
    "FW1752": (
        "The clocks of member and primary are too far apart.",
        "Let both take their time from NTP, then join again with the same token.",
    ),
    "FW1753": (
        "The member's credential lacks rights that the reconciler needs.",
        "Run `fleetward join` again, which makes the roles; find what removed them.",
    ),
    "FW1754": (
        "Who promotes or joins is not authenticated by the cluster itself.",
        "Use a kubeconfig with a client certificate or a service account of that cluster, not one that comes "
        "from an identity provider.",
    ),
    "FW1755": (
        "There is no primary, there is one already, or it cannot be given up.",
        "Read the message; `fleetward audit log --kind promoted` says who is primary since when.",
    ),
    "FW1756": (
        "The request to join is not one: too large, too slow, no JSON, or fields out of bounds.",
        "Join with the same version of fleetward as the primary has.",
    ),
    "FW1757": ("Too many requests to join.", "Wait a minute and join again; the token is not used up."),
    "FW1758": (
        "The join endpoint cannot be reached, or is not the one that the token names.",
        "Check that `fleetward serve` runs, its address and firewalls. If another server answers, find out "
        "whose: nothing was sent to it.",
    ),
    "FW1759": (
        "A registration, or its removal, could not be proposed to the fleet's repository.",
        "Let the primary push branches `join/*` and `leave/*`; then run the same command again (join: with "
        "the same token).",
    ),
    "FW1768": (
        "Only an administrator of the cluster can let it leave.",
        "Use a kubeconfig that may do everything there: `kubectl auth can-i '*' '*'` says yes.",
    ),
    "FW1769": ("Nobody confirmed that the cluster is to leave.", "Run it at a terminal, or pass --yes."),
    "FW1770": (
        "The cluster cannot be kicked: no such cluster, the primary itself, or a registration that is not "
        "accepted.",
        "Read the message. The primary is given up with `fleetward demote`. A registration that changed is "
        "accepted by `fleetward reconcile`, or kicked without contact by --gone.",
    ),
    "FW1771": (
        "The cluster that is to be kicked does not answer, or refuses.",
        "The message has the code of the connection's own failure. If the cluster is gone for good, or left "
        "by itself, run `fleetward kick NAME --gone`.",
    ),
    "FW1772": (
        "The cluster could not be emptied, so its kick is not finished; `reconcile` leaves it alone.",
        "Mend what the message names, and run the same `fleetward kick` again. With --keep-objects nothing "
        "is deleted but the guard.",
    ),
    "FW1773": (
        "The cluster goes on refusing what its administrator removes.",
        "Look for another admission policy or webhook; then run `fleetward leave` again.",
    ),
    "FW1774": (
        "A stored credential of the kicked cluster cannot be removed.",
        "Let the reconciler's user write the credentials folder; then run the same `fleetward kick` again.",
    ),
    "FW1775": (
        "The Federation does not allow joins without review.",
        "Join with a token that is not auto-approved; or set joining.autoApprove in federation.yaml, have it "
        "reviewed, merged and accepted, then join again with the same token.",
    ),
    "FW1776": (
        "The reconciler's key is no enroller of the fleet, so it may not commit a registration.",
        "Run the `fleetward trust add-signer` of the message in a clone; have it reviewed, merged and "
        "accepted.",
    ),
    "FW1777": (
        "The cluster is not as its registration says, which was merged before it joined.",
        "Join with the API servers, CA and server name of the registration, or have that changed.",
    ),
    "FW1778": (
        "The file of a join cannot be used: its fields, or a secret that it names.",
        "Read the message; docs/joining.md has an example.",
    ),
    "FW1779": (
        "The registration could not be committed on the fleet's branch, or would be refused there.",
        "Mend what the message says, then join again with the same token; it is not used by another.",
    ),
}
