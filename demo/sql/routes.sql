/* ---
description: |
  Routes: one row a pair of airports.

  Where the destination is not among the `airports`, nobody knows how far it is, and
  the check of `dest` tells which these are.
group: joined
owners: [team:flights]
params: {km_a_mile: 1.609344}
columns:
  origin:
    description: FAA code of the airport of departure.
    checks: [not_null, {check: relationships, to: airports, field: faa}]
  dest:
    description: FAA code of the airport of arrival.
    checks:
    - not_null
    - {check: relationships, to: airports, field: faa, severity: warn}
  flights:
    description: Scheduled flights in the year.
  flown_km:
    description: Kilometres, as the airlines give them.
  great_circle_km:
    description: Kilometres that there are at least; NULL where nobody knows.
checks:
- {check: unique, columns: [origin, dest]}
- {check: expression, name: no_short_cut, sql: flown_km > great_circle_km * 0.95}
--- */
SELECT origin,
       dest,
       count(*) AS flights,
       min(distance) * $km_a_mile AS flown_km,
       haversine_km(
           min(here.lat), min(here.lon), min(there.lat), min(there.lon)
       ) AS great_circle_km
FROM flights
JOIN airports AS here ON here.faa = origin
LEFT JOIN airports AS there ON there.faa = dest
GROUP BY origin, dest
