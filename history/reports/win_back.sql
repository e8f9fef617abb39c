-- How many of the customers who had stayed away come back, after how long, and for how much?
-- ---
-- title = "Win-back"
-- group = "prospecting"
-- chart = { kind = "line", x = "month", y = "rate" }
-- [parameters]
-- away_days = { kind = "integer", default = 180, minimum = 1, maximum = 3650, means = "Away is who has ordered nothing for more than so many whole days; by the default rules, who is dormant or churned." }
-- after_days = { kind = "integer", default = 90, minimum = 1, maximum = 3650, means = "What returned customers bring is counted for so many days." }
-- months = { kind = "integer", default = 24, minimum = 1, maximum = 600, means = "The latest so many months." }
-- [columns]
-- month = { unit = "month", means = "Month in which they came back." }
-- away = { unit = "customers", means = "Were away when it began; null while it is not over, as is all else." }
-- went_away = { unit = "count", means = "Customers who became away in it." }
-- returned = { unit = "count", means = "Orders in it of customers who were away." }
-- rate = { unit = "share", means = "Returned, of those who were or became away." }
-- median_days_away = { unit = "days", means = "Whole days since the order before, of who returned: half not more." }
-- net_after = { unit = "money", means = "What the returned brought in the days after, the returning order too; null until these are over for all of the month." }
-- net_after_each = { unit = "money", means = "The same for each return." }
WITH
    toStartOfMonth(toDate({as_of:DateTime64(3, 'UTC')}, {timezone:String})) AS running,
    toUnixTimestamp64Milli({as_of:DateTime64(3, 'UTC')}) AS now_ms,
    ({away_days:Int64} + 1) * 86400000 AS silence_ms,
    {after_days:Int64} * 86400000 AS after_ms,
    addMonths(running, -back) AS month_is,
    addDays(addMonths(month_is, 1), {after_days:Int32}) <= toDate({as_of:DateTime64(3, 'UTC')}, {timezone:String}) AS is_after
SELECT
    month_is AS month,
    if(back > 0, before, NULL) AS away,
    if(back > 0, now.went, NULL) AS went_away,
    if(back > 0, now.returned, NULL) AS returned,
    returned / nullIf(away + went_away, 0) AS rate,
    if(returned > 0, now.days, NULL) AS median_days_away,
    if(back > 0 AND is_after, now.net, NULL) AS net_after,
    if(returned > 0, toInt64(round(net_after / greatest(now.returned, 1))), NULL) AS net_after_each
FROM (
    SELECT
        back, known[back] AS now,
        sum(now.went - now.returned) OVER (ORDER BY back DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM (
        SELECT
            max(back) AS first,
            mapFromArrays(
                groupArray(back),
                groupArray(CAST((went, returned, days, net), 'Tuple(went Int64, returned Int64, days Float64, net Int128)'))
            ) AS known
        FROM (
            SELECT
                dateDiff('month', toDate(fromUnixTimestamp64Milli(moment.1), {timezone:String}), running) AS back,
                countIf(NOT moment.2) AS went, countIf(moment.2) AS returned,
                quantileExactInclusiveIf(0.5)(moment.3, moment.2) AS days, sumIf(moment.4, moment.2) AS net
            FROM (
                SELECT
                    arraySort(each -> each.1, groupArray((toUnixTimestamp64Milli(placed_at), toInt128(coalesce(base_minor, 0))))) AS bought,
                    bought.1 AS at,
                    bought.2 AS net,
                    arrayPushBack(arrayPopFront(at), now_ms) AS next_at,
                    arrayFilter((i, from_ms, to_ms) -> to_ms - from_ms >= silence_ms, arrayEnumerate(at), at, next_at) AS gaps,
                    arrayMap(i -> (at[i] + silence_ms, false, 0, 0), gaps) AS leavings,
                    arrayMap(
                        i -> (
                            next_at[i], true, intDiv(next_at[i] - at[i], 86400000),
                            arraySum(arrayMap((ms, minor) -> if(ms >= next_at[i] AND ms < next_at[i] + after_ms, minor, 0), at, net))
                        ),
                        arrayFilter(i -> i < length(at), gaps)
                    ) AS returns
                FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
                WHERE NOT cancelled
                GROUP BY customer_id
            )
            ARRAY JOIN arrayConcat(leavings, returns) AS moment
            GROUP BY back
        )
        HAVING count() > 0
    )
    ARRAY JOIN arrayMap(back -> toInt64(back), range(toUInt64(first + 1))) AS back
)
WHERE back < {months:UInt32}
ORDER BY month
