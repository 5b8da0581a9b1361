/* ---
description: "Delay by visibility: one row a band of miles."
group: reports
owners: [team:flights]
columns:
  visibility:
    description: Visibility at departure, in miles.
    checks:
    - not_null
    - unique
    - {check: accepted_values, values: [below 1, 1 to 5, 5 to 10, "10"]}
  flights:
    description: Scheduled flights in the year.
  usual_delay:
    description: Minutes on departure, without a tenth of the flights at either end.
  cancelled:
    description: Share of the flights that were.
--- */
SELECT CASE WHEN visib < 1 THEN 'below 1'
            WHEN visib < 5 THEN '1 to 5'
            WHEN visib < 10 THEN '5 to 10'
            ELSE '10' END AS visibility,
       count(*) AS flights,
       trimmed_mean(dep_delay, 0.1) AS usual_delay,
       1.0 - count(dep_delay) / CAST(count(*) AS DOUBLE) AS cancelled
FROM flight_weather
WHERE visib IS NOT NULL
GROUP BY visibility
