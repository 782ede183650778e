-- A pump's whole log, also what lost a conflict of ids: the present rules decide anew what counts.
SELECT payload, received, offset_us, uuid_send(digest) AS digest, counts FROM events WHERE pump = $1
ORDER BY at, id, digest
