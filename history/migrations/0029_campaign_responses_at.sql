CREATE OR REPLACE VIEW campaign_responses_at AS
WITH (minor, factor, most) -> toInt64(roundBankers(if(abs(minor) <= most, minor, 0) * if(abs(minor) <= most, factor, NULL))) AS in_base
SELECT campaign_id, customer_id, nullIf(send.2, '') AS message_id, nullIf(send.3.1, '') AS variant, nullIf(send.3.2, '') AS channel,
       send.1 AS sent_at, in_base(send.3.3, rates.factor, rates.most_minor) AS cost_base_minor,
       arrayReduce('minOrNull', arrayMap(one -> one.2, arrayFilter(one -> one.1 = 'opened' AND if(one.3 = '', one.2 >= send.1 AND one.2 < next_at, one.3 = send.2), responses))) AS opened_at,
       arrayReduce('minOrNull', arrayMap(one -> one.2, arrayFilter(one -> one.1 = 'clicked' AND if(one.3 = '', one.2 >= send.1 AND one.2 < next_at, one.3 = send.2), responses))) AS clicked_at,
       arrayReduce('minOrNull', arrayMap(one -> one.2, arrayFilter(one -> one.1 = 'redeemed' AND if(one.3 = '', one.2 >= send.1 AND one.2 < next_at, one.3 = send.2), responses))) AS redeemed_at,
       arrayReduce('minOrNull', arrayMap(one -> one.2, arrayFilter(one -> one.1 = 'bounced' AND if(one.3 = '', one.2 >= send.1 AND one.2 < next_at, one.3 = send.2), responses))) AS bounced_at,
       arrayReduce('minOrNull', arrayMap(one -> one.2, arrayFilter(one -> one.1 = 'complained' AND if(one.3 = '', one.2 >= send.1 AND one.2 < next_at, one.3 = send.2), responses))) AS complained_at,
       arrayReduce('minOrNull', arrayMap(one -> one.2, arrayFilter(one -> one.1 = 'unsubscribed' AND if(one.3 = '', one.2 >= send.1 AND one.2 < next_at, one.3 = send.2), responses))) AS unsubscribed_at
FROM (
    SELECT campaign_id, customer_id, arraySort(groupArrayIf((at, message, content), what = 'sent')) AS told,
           arrayFilter((one, nth) -> one.2 = '' OR nth = 1, told, arrayEnumerateUniq(told.2)) AS sends,
           arrayMap(one -> (one.1, one.2, if(has(sends.2, one.3), one.3, '')), groupArrayIf((what, at, message), what != 'sent')) AS responses
    FROM (
        SELECT campaign_id, customer_id, 'sent' AS what, occurred_at AS at, coalesce(message_id, '') AS message,
               (coalesce(variant, ''), coalesce(toString(channel), ''), cost_minor, coalesce(toString(currency), '')) AS content
        FROM CampaignSent FINAL
        WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
        UNION ALL
        SELECT campaign_id, customer_id, 'opened', occurred_at, coalesce(message_id, ''), ('', '', 0, '')
        FROM CampaignOpened FINAL
        WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')} AND NOT is_automatic
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
        UNION ALL
        SELECT campaign_id, customer_id, 'clicked', occurred_at, coalesce(message_id, ''), ('', '', 0, '')
        FROM CampaignClicked FINAL
        WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
        UNION ALL
        SELECT campaign_id, customer_id, 'bounced', occurred_at, coalesce(message_id, ''), ('', '', 0, '')
        FROM CampaignBounced FINAL
        WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
        UNION ALL
        SELECT campaign_id, customer_id, 'complained', occurred_at, coalesce(message_id, ''), ('', '', 0, '')
        FROM CampaignComplained FINAL
        WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
        UNION ALL
        SELECT campaign_id, customer_id, 'unsubscribed', occurred_at, coalesce(message_id, ''), ('', '', 0, '')
        FROM CampaignUnsubscribed FINAL
        WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
        UNION ALL
        SELECT assumeNotNull(campaign_id), customer_id, 'redeemed', occurred_at, '', ('', '', 0, '')
        FROM CouponRedeemed FINAL
        WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')} AND campaign_id IS NOT NULL
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
    )
    GROUP BY campaign_id, customer_id
    HAVING notEmpty(sends)
)
ARRAY JOIN sends AS send, arrayPushBack(arrayMap(each -> each.1, arrayPopFront(sends)), toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC')) AS next_at
LEFT JOIN exchange_rates_at(as_of = {as_of:DateTime64(3, 'UTC')}) AS rates ON rates.currency = send.3.4
COMMENT 'Each message of a campaign, one that was told again as it was told first, with what the customer did: a response belongs to the message that it names, if that was sent, else to the latest of the campaign before it. Of the events up to as_of.'
