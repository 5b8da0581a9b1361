/* ---
description: "Detours: one row a route that is flown daily or more."
group: reports
owners: [team:flights]
params: {daily: 365}
columns:
  origin:
    description: FAA code of the airport of departure.
  dest:
    description: FAA code of the airport of arrival.
  destination:
    description: Name of that airport.
  flights:
    description: Scheduled flights in the year.
  flown_km:
    description: Kilometres, as the airlines give them.
  detour:
    description: What is flown beyond the shortest way, in parts of that.
--- */
SELECT origin,
       dest,
       name AS destination,
       flights,
       flown_km,
       flown_km / great_circle_km - 1.0 AS detour
FROM routes
JOIN airports ON faa = dest
WHERE flights >= $daily
