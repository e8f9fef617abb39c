-- Would the customers recommend us, buy again and buy more: what is the loyalty index, month by month?
-- ---
-- title = "Loyalty index"
-- group = "persistency"
-- chart = { kind = "line", x = "month", y = ["loyalty", "recommend", "buy_again", "buy_more"] }
-- [parameters]
-- recommend = { kind = "text", default = "recommend", means = "An answer of kind loyalty counts as recommend if the name of its question has this in it; answers of kind nps always do." }
-- buy_again = { kind = "text", default = "again", means = "It counts as buy again if the name of its question has this in it." }
-- buy_more = { kind = "text", default = "more", means = "It counts as buy more if the name of its question has this in it." }
-- months = { kind = "integer", default = 24, minimum = 1, maximum = 600, means = "How many months to show, with the one of as_of." }
-- [columns]
-- month = { unit = "month", means = "Month of the answers. A month without answers has no row." }
-- loyalty = { unit = "score", means = "The loyalty index: the mean of the next three, 0 to 100; null where one of them was not answered, and, as is all else, while the month is not over." }
-- recommend = { unit = "score", means = "Mean answer whether they would recommend us, each scaled from its own scale to 0 to 100." }
-- buy_again = { unit = "score", means = "Mean answer whether they would buy again, scaled so, too." }
-- buy_more = { unit = "score", means = "Mean answer whether they would buy more, scaled so, too." }
-- answers = { unit = "count", means = "Answers in these means." }
-- customers = { unit = "customers", means = "Customers who gave them." }
WITH
    toRelativeMonthNum({as_of:DateTime64(3, 'UTC')}, {timezone:String}) AS this_month,
    number < this_month AS is_over
SELECT
    addMonths(toDate('1970-01-01'), number - toRelativeMonthNum(toDate('1970-01-01'))) AS month,
    (recommend + buy_again + buy_more) / 3 AS loyalty,
    avgOrNullIf(100 * answer, is_over AND about = 'recommend') AS recommend,
    avgOrNullIf(100 * answer, is_over AND about = 'again') AS buy_again,
    avgOrNullIf(100 * answer, is_over AND about = 'more') AS buy_more,
    if(is_over, count(), NULL) AS answers,
    if(is_over, uniqExact(customer_id), NULL) AS customers
FROM (
    SELECT
        customer_id,
        toRelativeMonthNum(answered_at, {timezone:String}) AS number,
        greatest(0., least(assumeNotNull(share), 1.)) AS answer,
        multiIf(
            kind = 'nps' OR positionCaseInsensitiveUTF8(question, {recommend:String}) > 0, 'recommend',
            positionCaseInsensitiveUTF8(question, {buy_again:String}) > 0, 'again',
            positionCaseInsensitiveUTF8(question, {buy_more:String}) > 0, 'more',
            ''
        ) AS about
    FROM surveys_at(as_of = {as_of:DateTime64(3, 'UTC')})
    WHERE kind IN ('nps', 'loyalty') AND scale_max > scale_min AND share IS NOT NULL
)
WHERE about != '' AND number + {months:UInt32} > this_month
GROUP BY number
ORDER BY month
