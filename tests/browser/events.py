"""What do the browser tests post, and what do they answer in the engine's place?"""

from uuid import uuid4

HOSTILE = '<img src="x" onerror="window.hacked = true"><script>window.hacked = true</script>'


# A young engine has no boundaries yet, so the tests of the grid give it one.
RFM = {
    "boundaries": {"r": [141, 432, 485, 512], "f": [1, 1, 2, 4], "m": ["15.36", "31.35", "59.92", "133.95"]},
    "grid": [
        {"r": r, "f": f, "customers": 0 if f == 2 else 10 * r * f, "net": f"{100 * r * f}.50"}
        for r in range(1, 6)
        for f in range(1, 6)
    ],
}


def order(customer_id: str, amount: str = "25.99") -> dict[str, object]:
    return {
        "type": "OrderPlaced",
        "customer_id": customer_id,
        "order_id": str(uuid4()),
        "amount": amount,
        "currency": "USD",
    }


def registered(customer_id: str, **traits: str) -> dict[str, object]:
    return {"type": "CustomerRegistered", "customer_id": customer_id, "traits": traits}
