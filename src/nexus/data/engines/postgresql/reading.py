"""Which statements of PostgreSQL do nothing but read.

What cannot be known to read counts as a change: a function may be anybody's, and write, take a lock
or count a sequence up.
"""

import re
from functools import lru_cache
from typing import Final

_READ: Final = re.compile(r"\s*SELECT\b", re.IGNORECASE)
_OTHER: Final = re.compile(
    r"\bFOR\s|\bINTO\b"  # locks, and makes a table
    r"|;(?!\s*\Z)"  # another statement follows
    r"|--|/\*",  # a comment, which may stand between a function and its parenthesis
    re.IGNORECASE,
)
_CALLED: Final = re.compile(r"([^\s()\[\],;+*/<>=~!@#%^&|`?:'-]*)\s*\(")
"""A parenthesis, and the word before it: nothing, a word of SQL, or a function with its schema."""

_WORDS_OF_SQL: Final = """
    all and any array as between bit case cast char character coalesce decimal distinct else
    except exists extract float from group grouping having in intersect interval lateral limit
    not numeric offset on or order overlay position precision row select some substring then
    time timestamp trim union using values varchar when where
"""  # those by which no function can be called that somebody makes
_BEHIND_CALLS: Final = frozenset({"filter", "over"})
_BUILT_IN: Final = """
    abs acos ascii asin atan atan2 bit_length btrim cardinality cbrt ceil ceiling char_length
    character_length chr coalesce concat concat_ws convert_from convert_to cos date_bin
    date_part date_trunc decode degrees div encode exp floor format greatest initcap isfinite
    justify_days justify_hours justify_interval least left length ln log lower lpad ltrim
    make_date make_interval make_time make_timestamp make_timestamptz md5 mod now nullif
    octet_length pi power quote_ident quote_literal quote_nullable radians regexp_match
    regexp_matches regexp_replace regexp_split_to_array repeat replace reverse right round rpad
    rtrim sha224 sha256 sha384 sha512 sign sin split_part sqrt starts_with strpos substr tan
    to_char to_date to_hex to_number to_regclass to_timestamp translate trunc upper
    array_agg array_append array_cat array_dims array_length array_lower array_ndims
    array_position array_prepend array_remove array_replace array_to_string array_upper
    generate_series generate_subscripts isempty json_agg json_array_elements
    json_array_elements_text json_array_length json_build_array json_build_object json_each
    json_each_text json_extract_path json_extract_path_text json_object_agg json_object_keys
    json_typeof jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length
    jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path
    jsonb_extract_path_text jsonb_object_agg jsonb_object_keys jsonb_path_exists
    jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_set jsonb_strip_nulls
    jsonb_typeof lower_inc lower_inf row_to_json string_agg string_to_array to_json to_jsonb
    unnest upper_inc upper_inf
    avg bit_and bit_or bool_and bool_or corr count cume_dist dense_rank every first_value lag
    last_value lead max min mode nth_value ntile percent_rank percentile_cont percentile_disc
    rank regr_count row_number stddev stddev_pop stddev_samp sum var_pop var_samp variance
"""
_HARMLESS: Final = frozenset(f"{_WORDS_OF_SQL} {_BUILT_IN}".split())


@lru_cache(maxsize=1000)
def only_reads(statement: str) -> bool:
    """Tell whether going back behind a statement loses nothing, not even a lock."""
    if not _READ.match(statement) or _OTHER.search(statement):
        return False
    return all(_is_harmless(found) for found in _CALLED.finditer(statement))


def _is_harmless(called: re.Match[str]) -> bool:
    name = called.group(1).lower()
    if name in _BEHIND_CALLS:
        return called.string[: called.start()].rstrip().endswith(")")
    return not name or name in _HARMLESS
