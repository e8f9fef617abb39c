"""How many decimal digits has each currency? ISO 4217, as of January 2026.

A table of our own, because amounts on the log are in minor units: an upgraded package that changed the digits
of a currency would change what old events say. Codes withdrawn since 2015 stay, for the history that is
loaded. Codes without minor units (gold, testing, …) are not money here.
"""

_CODES = {
    0: ("BIF BYR CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "),
    2: (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD "
        "CAD CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL "
        "GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR "
        "LRD LSL LTL MAD MDL MGA MKD MMK MNT MOP MRO MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR "
        "NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STD "
        "STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VEF VES WST XAD XCD XCG "
        "YER ZAR ZMW ZWG ZWL "
    ),
    3: ("BHD IQD JOD KWD LYD OMR TND "),
    4: ("CLF UYW "),
}

DIGITS: dict[str, int] = {code: digits for digits, codes in _CODES.items() for code in codes.split()}


def decimal(minor: int, currency: str) -> str:
    """An amount as people write it: 2599 USD is "25.99". An unknown currency gets the usual two digits."""
    digits = DIGITS.get(currency, 2)
    if digits == 0:
        return str(minor)
    text = f"{abs(minor):0{digits + 1}d}"
    return f"{'-' if minor < 0 else ''}{text[:-digits]}.{text[-digits:]}"
