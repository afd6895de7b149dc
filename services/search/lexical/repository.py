"""SQL of lexical search. Every statement sees the rows of the transaction's tenant only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, LiteralString

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow, tuple_row
from psycopg.types.json import Jsonb

from services.search.filters import Filters
from services.search.items import number_array
from services.search.lexical.blocks import BlockMemory, Blocks, Version
from services.search.lexical.bm25 import Scorer, Scores, Term
from services.search.lexical.hit import Hit
from services.search.lexical.postings import JOINED, is_known, join_rows

Connection = AsyncConnection[DictRow]

MOST_TERMS = 256
MOST_POSTINGS = 4_000_000
"""Looked at for one query; 8 bytes each, and about five times that while they are added up."""
LANGUAGES = sql.SQL(
    """
    SELECT 'english' AS language
    UNION SELECT language FROM search_languages WHERE tenant_id = current_setting('ml.tenant')
    """
)
TOTALS = sql.SQL(
    """
    SELECT coalesce(sum(documents), 0)::bigint AS items, coalesce(sum(tokens), 0)::bigint AS tokens,
        ARRAY[max(segment), sum(segment)::bigint, count(*), sum(entries)::bigint, sum(removed)::bigint] AS version
    FROM search_segments WHERE tenant_id = current_setting('ml.tenant')
    """
)
"""Of the tenant. The version tells one set of segments from the next: a write adds one, a merge puts a new one in the
place of some, and a purge leaves fewer entries in them; no number is given twice."""
LISTED_TERMS = 32
"""Up to which postings are read together with the terms; of a longer query they may be megabytes, known or not."""
KNOWN_POSTINGS = 512
"""Postings from which a row is only read when it is not known; it takes longer to look after a smaller one than to read
it."""
WORDS = (
    sql.SQL(
        """
        SELECT t.items, t.tokens, t.version, w.lexeme, w.count, p.term, p.segment, p.added, p.removed,
            CASE WHEN p.added + p.removed < %(known)s THEN p.entries END AS entries,
            CASE WHEN p.added + p.removed < %(known)s THEN p.dead END AS dead
        FROM ({totals}) t LEFT JOIN (
            SELECT c.lexeme, c.count, CASE WHEN count(*) OVER () <= %(listed)s THEN c.lexeme END AS listed
            FROM (
                SELECT w.lexeme, max(cardinality(w.positions)) AS count
                FROM ({languages}) l CROSS JOIN LATERAL unnest(to_tsvector(l.language::regconfig, %(text)s)) w
                GROUP BY w.lexeme
            ) c
        ) w ON true
        LEFT JOIN LATERAL (
            SELECT * FROM search_postings WHERE tenant_id = current_setting('ml.tenant') AND term = w.listed OFFSET 0
        ) p ON true
        """
    )
    .format(totals=TOTALS, languages=LANGUAGES)
    .as_bytes()
)
"""One statement, one snapshot: the version is that of the postings. By OFFSET these stay a look-up for each term; a
plan that is made while there are few would otherwise read all that the tenant has."""
MATCHING = sql.SQL(
    """
    SELECT i.entity_type, i.entity_id, s.number
    FROM unnest(%s::bigint[]) WITH ORDINALITY AS s (number, place)
    JOIN search_items i ON i.tenant_id = current_setting('ml.tenant') AND i.number = s.number
    {phrases}
    WHERE {condition}
    ORDER BY s.place LIMIT %s
    """
)
PHRASES = sql.SQL(
    """
    JOIN search_documents d ON d.tenant_id = current_setting('ml.tenant') AND d.number = s.number
        AND d.words @@ %s::tsquery
    """
)
NONE = sql.SQL("")
ALL_MATCH = MATCHING.format(phrases=NONE, condition=Filters().condition()[0]).as_bytes()
NOTHING = Scorer((), items=0, tokens=0)


@dataclass(frozen=True, slots=True)
class Words:
    """What a query looks for, in the languages of the tenant.

    Attributes:
        counts: Term → how often the query has it.
        required: Terms that an item must have; a part of the terms.
        phrases: What an item must have in this order, as Postgres reads a tsquery; empty when there is nothing.
        items: Of the tenant.
        tokens: Of all its items together.
        version: Of its postings.
        rows: All of the terms in `search_postings`, the large ones without entries and dead; None when there are more
            than `LISTED_TERMS` terms.
    """

    counts: Mapping[str, int]
    items: int
    tokens: int
    version: Version
    required: Sequence[str] = ()
    phrases: str = ""
    rows: Sequence[DictRow] | None = None


async def read_words(connection: Connection, text: str, phrases: Sequence[str]) -> Words:
    """Take a query apart as Postgres takes the items apart, and read what few postings its terms have.

    Most queries have a word that is not known, or come after a write; for them this is all that is read.

    Args:
        connection: A transaction of the tenant.
        text: All words of the query.
        phrases: What must be found in this order. One without any word that is indexed asks for nothing.
    """
    cursor = await connection.execute(
        WORDS, {"text": text, "known": KNOWN_POSTINGS, "listed": LISTED_TERMS}, binary=True
    )
    rows = await cursor.fetchall()
    counts = {row["lexeme"]: row["count"] for row in rows if row["lexeme"] is not None}
    listed = [row for row in rows if row["term"] is not None] if len(counts) <= LISTED_TERMS else None
    words = Words(counts, rows[0]["items"], rows[0]["tokens"], tuple(rows[0]["version"]), rows=listed)
    if not phrases or not counts:
        return words
    cursor = await connection.execute(
        sql.SQL(
            """
            SELECT string_agg('(' || a.query::text || ')', ' | ') AS query, jsonb_agg(a.terms) AS terms
            FROM (
                SELECT p.phrase, phraseto_tsquery(l.language::regconfig, p.phrase) AS query,
                    tsvector_to_array(to_tsvector(l.language::regconfig, p.phrase)) AS terms
                FROM unnest(%s::text[]) AS p (phrase) CROSS JOIN ({languages}) l
            ) a
            WHERE numnode(a.query) > 0
            GROUP BY a.phrase
            """
        ).format(languages=LANGUAGES),
        (list(phrases),),
    )
    rows = await cursor.fetchall()
    # In each language the phrase has other terms; what has it in one of them has those that all share.
    required = {term for row in rows for term in set.intersection(*map(set, row["terms"]))}
    return replace(words, required=sorted(required), phrases=" & ".join(f"({row['query']})" for row in rows))


async def read_scorer(connection: Connection, memory: BlockMemory, tenant: str, words: Words) -> tuple[Scorer, bool]:
    """Return what scores the items that have some of the words, and all that are required.

    Of more than `MOST_TERMS` terms, and of those with more than `MOST_POSTINGS` postings together, the ones that the
    fewest items have are looked for: the others tell little. One that is required and left out is required no more; the
    phrase that it comes from is looked at by `keep_matching`.

    Args:
        connection: A transaction of the tenant.
        memory: Postings that need not be read again.
        tenant: Whose they are.
        words: What to look for.

    Returns:
        The scorer, and whether every term is looked for.
    """
    current = memory.current(tenant, words.counts, words.version)
    if current is not None:
        scorer = _score_all(words, current)
        if scorer is not None:
            return scorer, True
    held = memory.find(tenant, words.counts)
    if words.rows is not None and all(row["entries"] is not None or is_known(row, held) for row in words.rows):
        found = await join_rows(words.rows, held, KNOWN_POSTINGS)
        scorer = _score_all(words, found)
        if scorer is not None:
            for term in words.counts:
                memory.keep(tenant, term, found.get(term, {}), words.version)
            return scorer, True
    known = [
        (term, segment, block.added, block.removed)
        for term, blocks in held.items()
        for segment, block in blocks.items()
        if segment != JOINED
    ]
    # One statement, one snapshot, and rows as they are: to join their bytes in Postgres takes twice as long.
    statement = sql.SQL(
        """
        WITH counted AS MATERIALIZED (
            SELECT term, sum(added) AS postings FROM search_postings
            WHERE tenant_id = current_setting('ml.tenant') AND term = ANY (%(terms)s)
            GROUP BY term HAVING sum(added - removed) > 0
        ), placed AS MATERIALIZED (
            SELECT term, row_number() OVER rarest AS place, sum(postings) OVER rarest AS reached
            FROM counted WINDOW rarest AS (ORDER BY postings, term)
        )
        SELECT t.items, t.tokens, t.version, p.term, p.segment, p.added, p.removed,
            CASE WHEN k.term IS NULL THEN p.entries END AS entries, CASE WHEN k.term IS NULL THEN p.dead END AS dead,
            (SELECT count(*) FROM counted) AS terms,
            (SELECT count(*) FROM counted WHERE term = ANY (%(required)s)) AS required
        FROM ({totals}) t CROSS JOIN search_postings p
        LEFT JOIN unnest(%(known_terms)s::text[], %(known_segments)s::bigint[], %(known_added)s::integer[],
            %(known_removed)s::integer[]) AS k (term, segment, added, removed)
            ON k.term = p.term AND k.segment = p.segment AND k.added = p.added AND k.removed = p.removed
        WHERE p.tenant_id = current_setting('ml.tenant') AND p.term = ANY (ARRAY(
            SELECT term FROM placed WHERE place = 1 OR (place <= %(most_terms)s AND reached <= %(most_postings)s)))
        """
    ).format(totals=TOTALS)
    cursor = await connection.execute(
        statement,
        {
            "terms": list(words.counts),
            "required": list(words.required),
            "most_terms": MOST_TERMS,
            "most_postings": MOST_POSTINGS,
            "known_terms": [term for term, _, _, _ in known],
            "known_segments": [segment for _, segment, _, _ in known],
            "known_added": [added for _, _, added, _ in known],
            "known_removed": [removed for _, _, _, removed in known],
        },
        binary=True,
    )
    rows = await cursor.fetchall()
    found = await join_rows(rows, held, KNOWN_POSTINGS)
    whole = not rows or len(found) == rows[0]["terms"]
    version = tuple(rows[0]["version"]) if rows else words.version
    for term in words.counts if whole else found:
        memory.keep(tenant, term, found.get(term, {}), version)
    if not rows or rows[0]["required"] < len(words.required):
        return NOTHING, True
    terms = [_term(words, term, blocks) for term, blocks in found.items()]
    return Scorer(terms, items=rows[0]["items"], tokens=rows[0]["tokens"]), whole


def _term(words: Words, term: str, blocks: Blocks) -> Term:
    return Term(words.counts[term], term in words.required, list(blocks.values()))


def _score_all(words: Words, found: Mapping[str, Blocks]) -> Scorer | None:
    """Return what scores the items by all terms, of which all postings are given; None when they are too many."""
    terms = [_term(words, term, blocks) for term, blocks in sorted(found.items()) if blocks]
    if len(terms) > MOST_TERMS or sum(term.postings for term in terms) > MOST_POSTINGS:
        return None
    if sum(term.required for term in terms) < len(words.required):
        return NOTHING
    return Scorer(terms, items=words.items, tokens=words.tokens)


async def keep_matching(
    connection: Connection, scores: Scores, words: Words, filters: Filters, limit: int
) -> list[Hit]:
    """Return those items that have the phrases and meet the filters.

    Args:
        connection: A transaction of the tenant.
        scores: Items, the best first.
        words: What to look for.
        filters: Conditions.
        limit: Most results.

    Returns:
        The best first.
    """
    if not words.phrases and not filters:
        return await name(connection, scores.by_number(), limit)
    condition, values = filters.condition()
    statement = MATCHING.format(phrases=PHRASES if words.phrases else NONE, condition=condition).as_bytes()
    values = [words.phrases, *values] if words.phrases else values
    return await _read_hits(connection, statement, scores.by_number(), values, limit)


async def name(connection: Connection, found: Mapping[int, float], limit: int | None = None) -> list[Hit]:
    """Return those of some items that exist, in their order.

    Args:
        connection: A transaction of the tenant.
        found: Number → score.
        limit: Most results; None for all.
    """
    return await _read_hits(connection, ALL_MATCH, found, [], len(found) if limit is None else limit)


async def _read_hits(
    connection: Connection, statement: bytes, found: Mapping[int, float], values: Sequence[Any], limit: int
) -> list[Hit]:
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(statement, (number_array(found), *values, limit))
    return [Hit(kind, own, found[number], number) for kind, own, number in await cursor.fetchall()]


async def read_matching(connection: Connection, filters: Filters, limit: int) -> list[int]:
    """Return the numbers of the items that meet the filters, at most `limit` of them, in any order."""
    cursor = await connection.execute(
        """
        SELECT coalesce(array_agg(number), '{}') AS numbers
        FROM matching_search_documents(%s, %s)
        """,
        (Jsonb(filters.document()), limit),
    )
    row = await cursor.fetchone()
    return [] if row is None else list(row["numbers"])


async def read_known_spellings(connection: Connection, spellings: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Choose for each word the spelling that most items have.

    Args:
        connection: A transaction of the tenant.
        spellings: Words, each with one way it may have been meant.

    Returns:
        Word → spelling, of the words of which the tenant has some spelling.
    """
    cursor = await connection.execute(
        sql.SQL(
            """
            SELECT DISTINCT ON (k.word) k.word, k.spelling
            FROM (
                SELECT s.word, s.spelling, sum(p.added - p.removed) AS items
                FROM unnest(%s::text[], %s::text[]) AS s (word, spelling)
                CROSS JOIN ({languages}) l
                CROSS JOIN LATERAL unnest(tsvector_to_array(to_tsvector(l.language::regconfig, s.spelling))) AS t (term)
                JOIN search_postings p ON p.tenant_id = current_setting('ml.tenant') AND p.term = t.term
                GROUP BY s.word, s.spelling
            ) k
            WHERE k.items > 0
            ORDER BY k.word, k.items DESC, k.spelling
            """
        ).format(languages=LANGUAGES),
        ([word for word, _ in spellings], [spelling for _, spelling in spellings]),
    )
    return {row["word"]: row["spelling"] for row in await cursor.fetchall()}


async def index_anew(connection: Connection, limit: int) -> int:
    """Index items, of any tenant, that have no words yet or those of another language; return how many."""
    return await _call(connection, "SELECT index_search_items_anew(%s) AS done", (limit,))


async def merge_segments(connection: Connection) -> int:
    """Join small segments of some tenant; return how many."""
    return await _call(connection, "SELECT merge_search_segments() AS done", ())


async def purge_postings(connection: Connection) -> int:
    """Take what is deleted out of the postings of some tenant; return of how many terms."""
    return await _call(connection, "SELECT purge_search_postings() AS done", ())


async def _call(connection: Connection, statement: LiteralString, values: tuple[int, ...]) -> int:
    row = await (await connection.execute(statement, values)).fetchone()
    return 0 if row is None else int(row["done"])
