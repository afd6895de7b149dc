-- The numbers of the items that meet the filters, whether embedded or not. For the arguments and for why this is no
-- plain query see matching_search_items.
CREATE FUNCTION matching_search_documents(
    entity_types text[], all_tags text[], metadata_filters jsonb, max_rows integer
) RETURNS TABLE (number bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    query text := format(
        'SELECT i.number FROM search_items i WHERE i.tenant_id = %L AND i.number IS NOT NULL',
        current_setting('ml.tenant', true));
    alternatives jsonb;
BEGIN
    IF entity_types IS NOT NULL THEN
        query := query || format(' AND i.entity_type = ANY (%L::text[])', entity_types);
    END IF;
    IF all_tags IS NOT NULL THEN
        query := query || format(' AND i.tags @> %L::text[]', all_tags);
    END IF;
    FOR alternatives IN SELECT value FROM jsonb_array_elements(coalesce(metadata_filters, '[]')) LOOP
        query := query || format(' AND i.metadata @> ANY (%L::jsonb[])',
            ARRAY(SELECT value FROM jsonb_array_elements(alternatives)));
    END LOOP;
    RETURN QUERY EXECUTE query || format(' LIMIT %L', max_rows);
END
$$;
REVOKE ALL ON FUNCTION matching_search_documents(text[], text[], jsonb, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION matching_search_documents(text[], text[], jsonb, integer) TO ml_app;
