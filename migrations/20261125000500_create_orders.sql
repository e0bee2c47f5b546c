-- Certificates that learners buy here. Amounts are exact; an order is one payment.

CREATE TABLE orders (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id      bigint NOT NULL REFERENCES users,
    status       text NOT NULL CONSTRAINT orders_status
                 CHECK (status IN ('cart', 'paying', 'purchased', 'refunded', 'defunct-cart', 'defunct-paying')),
    currency     text NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    purchased_at timestamptz,
    -- Names one visit to the payment page; the processor sends it back.
    transaction_uuid uuid,
    -- The processor's own number of the payment: the same answer again is no second payment.
    processor_reference text,
    -- What the receipt shows of the payer: never the card.
    billed_to    jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX orders_user ON orders (user_id, id DESC);
CREATE UNIQUE INDEX orders_one_cart ON orders (user_id) WHERE status = 'cart';

CREATE TABLE order_items (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id     bigint NOT NULL REFERENCES orders ON DELETE CASCADE,
    course_key   text NOT NULL REFERENCES courses,
    mode         text NOT NULL,
    status       text NOT NULL CONSTRAINT order_items_status CHECK (status IN ('cart', 'paying', 'purchased', 'refunded')),
    quantity     integer NOT NULL CONSTRAINT order_items_quantity_positive CHECK (quantity > 0),
    -- Whole units with two decimals, in the currency of the item.
    unit_cost    numeric(30, 2) NOT NULL CONSTRAINT order_items_unit_cost_not_negative CHECK (unit_cost >= 0),
    list_price   numeric(30, 2) NOT NULL CONSTRAINT order_items_list_price_not_negative CHECK (list_price >= 0),
    currency     text NOT NULL,
    line_desc    text NOT NULL,
    fulfilled_at timestamptz
);
CREATE INDEX order_items_order ON order_items (order_id, id);
