"""Texts that backends are tried on: queries, sentences, paragraphs and pages of many subjects."""

from itertools import islice
from typing import Final

PARAGRAPHS: Final = 28
PAGES: Final = 12
STRIDE: Final = 41
"""Prime, and no divisor of the number of texts, so that steps of it reach each text once."""

QUERIES: Final = (
    "how do heat shields protect a spacecraft during re-entry",
    "best way to store fresh basil",
    "symptoms of vitamin d deficiency",
    "central bank raises interest rates",
    "error: connection refused on port 5432",
    "what is the capital gains tax on inherited shares",
    "history of the printing press in europe",
    "boundary layer transition at hypersonic speed",
    "refund for a delayed flight",
    "difference between tcp and udp",
    "how many moons does saturn have",
    "train a model with few labelled examples",
    "indexing methods for document retrieval",
    "late blight on tomatoes treatment",
    "who wrote the brothers karamazov",
    "Wie kündige ich meinen Mietvertrag?",
    "horaires de la bibliothèque municipale",
    "東京 天気 明日",
)

SENTENCES: Final = (
    "The committee approved the budget after three hours of debate, with two members abstaining.",
    "Laminar flow over the swept wing separated near the trailing edge at an angle of attack of twelve degrees.",
    "She kept the letters in a biscuit tin under the stairs and never spoke of them again.",
    "Patients who received the drug had a median survival of 14.2 months, against 9.8 months in the control group.",
    "To install the package, run the script with administrator rights and restart the machine.",
    "Quarterly revenue rose by 7 % to 4.3 billion euros, driven by strong demand for industrial software.",
    "The river floods every spring, and the farmers on its banks have learned to plant late.",
    "A hash table gives constant expected time for look-ups as long as its load factor stays bounded.",
    "Preheat the oven to 180 degrees, grease the tin, and fold the egg whites into the batter.",
    "The defendant argued that the contract was void because it had been signed under duress.",
    "Photosynthesis converts carbon dioxide and water into glucose, releasing oxygen as a by-product.",
    "Our seats were at the back, but the orchestra sounded as if it sat beside us.",
    "The pressure distribution was measured at forty stations along the surface of the cone.",
    "An information system must describe its documents in terms that its users would choose themselves.",
    "He missed the last train, slept in the waiting room and arrived an hour before the interview.",
    "The vaccine is stored at minus seventy degrees and has to be used within six hours of thawing.",
    "Bond yields fell to their lowest level in two years as investors looked for safety.",
    "Every request carries an identifier, so that its path through the services can be followed.",
    "The museum holds eleven paintings by the artist, four of which are on permanent loan.",
    "Glaciers in the region have lost a third of their volume since measurements began in 1931.",
    "def area(radius): return 3.14159 * radius ** 2  # square metres",
    "SELECT name, total FROM orders WHERE created_at > '2024-01-01' ORDER BY total DESC LIMIT 10;",
    "The goalkeeper saved two penalties and was named player of the match.",
    "Librarians classified the collection by subject, and catalogued it by author and title.",
    "Shock waves form ahead of a blunt body that moves faster than sound.",
    "The landlord must return the deposit within thirty days, less the cost of any damage.",
    "Neurons communicate across synapses by means of chemicals called neurotransmitters.",
    "The old lighthouse was automated in 1987, and its keeper retired to the village.",
    "Customers complained that the battery lasted barely a day after the update.",
    "Inflation, measured by the index of consumer prices, slowed to 2.1 % in October.",
    "The proof proceeds by induction on the number of vertices of the graph.",
    "Salt, sugar and vinegar keep vegetables from spoiling because few microbes can live in them.",
    "Two species of finch on the island differ in the shape of their beaks and in what they eat.",
    "The treaty was signed in 1648 and ended thirty years of war on the continent.",
    "Heat transfer to the wall increases sharply where the boundary layer becomes turbulent.",
    "If the light on the front panel blinks red, hold the reset button for ten seconds.",
    "The novel is told by three narrators, none of whom can be trusted.",
    "Unemployment among young people remains twice as high as in the population at large.",
    "A compiler translates source code into instructions that the processor can execute.",
    "The buckling load of a thin cylindrical shell depends strongly on small imperfections of its shape.",
    "Volunteers planted four hundred oaks on the hill behind the school.",
    "Children under five should not be given cough medicine without the advice of a doctor.",
    "The airline cancelled sixty flights because of fog and put its passengers up in hotels.",
    "Recall is the share of relevant documents that were found; precision is the share of those found that are.",
    "The bridge carries forty thousand vehicles a day, twice what it was designed for.",
    "Gradient descent moves the parameters a small step against the gradient of the loss.",
    "Die Sitzung wurde auf Donnerstag verschoben, weil der Vorsitzende erkrankt ist.",
    "Le comité a adopté la résolution à l'unanimité, malgré l'opposition du gouvernement.",
    "El precio del aceite de oliva se ha duplicado en los últimos dos años.",
    "新しい駅は来年の春に開業する予定です。",
    "Встреча перенесена на следующую неделю из-за погоды.",
    "Order no. 48-2291-B (3 pcs, EUR 19.99 each) was shipped on 12/03/2024; tracking: JX 0093 117 DE.",
    "The orbit of the satellite decays slowly because of drag in the upper atmosphere.",
    "Her thesis compares the poll taxes of three medieval kingdoms.",
    "Wind tunnel tests at Mach 6 confirmed the predicted pressures within five per cent.",
    "The kidney filters about 180 litres of blood plasma every day.",
)


def sample_texts() -> list[str]:
    """Return all texts, the kinds mixed, in the same order each time."""
    paragraphs = [" ".join(_sentences(7 * number, 2 + number % 5)) for number in range(PARAGRAPHS)]
    pages = [" ".join(_sentences(11 * number, 8 + number % 6)) for number in range(PAGES)]
    texts = [*QUERIES, *SENTENCES, *paragraphs, *pages]
    return [texts[(place * STRIDE) % len(texts)] for place in range(len(texts))]


def _sentences(start: int, count: int) -> list[str]:
    """Take sentences from a place on, every fifth, so that neighbours in a text share no subject."""
    places = ((start + 5 * step) % len(SENTENCES) for step in range(len(SENTENCES)))
    return [SENTENCES[place] for place in islice(places, count)]
