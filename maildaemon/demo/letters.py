"""What the people of the demo write."""

ASA_SUBJECT = "Etiketterna blir sneda på den nya skrivaren"

ASA_ASKS = """\
Hej!

Sedan i måndags skriver skrivaren i Örnsköldsvik ut etiketterna på sned.
Vi har bytt rulle två gånger. Vad gör vi nu?

Med vänlig hälsning
Åsa Öberg
Produktionschef
Nordvik Plast AB
"""

ANNA_ANSWERS = """\
Hej Åsa!

Rikta in läsaren på nytt: håll in Matning i fem sekunder tills lampan blinkar.
Hör av dig om det inte hjälper.

Vänliga hälsningar
Anna Lind
"""

ASA_THANKS = """\
Hej Anna!

Det hjälpte nästan: nu är bara den första etiketten sned. Går det också att få bort?

/Åsa
"""

BOB_SUBJECT = "Question about the price list"

BOB_ASKS = """\
Hello,

could you send me the current price list for the label printers?

Best regards,
Bob Miller
"""

BOB_ADDS = """\
Hello again,

I forgot to say that we need twelve of them.

Bob
"""
