// Off to the payment, and the receipt on the way back.

function startPayment(step) {
  const buttons = findAll("[data-processor]", step);
  for (const button of buttons) button.onclick = () => pay(step, buttons, button.dataset.processor);
}

async function pay(step, buttons, processor) {
  const [problem, status] = [find(".problem", step), find(".hint", step)];
  tell(problem);
  for (const button of buttons) button.disabled = true;
  hint(status, say("payment-starting"));
  try {
    const order = await createOrder(processor);
    trackPage("payment_processor_step");
    return leaveForPayment(order);
  } catch (error) {
    tell(problem, say("payment-failed"), error.told || say("payment-failed-next"));
  }
  hint(status, "");
  for (const button of buttons) button.disabled = false;
}

async function createOrder(processor) {
  const answer = await fetch("/verify_student/create_order/", {
    method: "POST",
    headers: { "X-CSRFToken": token(), Accept: "application/json" },
    body: new URLSearchParams({
      processor,
      contribution: facts.amountToPay,
      course_id: facts.courseKey,
      sku: facts.courseModeSku,
    }),
  });
  if (answer.ok) return answer.json();
  throw Object.assign(new Error("refused"), { told: answer.status === 400 ? await answer.text() : "" });
}

function leaveForPayment({ payment_page_url: address, payment_form_data: fields }) {
  if (!/^https?:/.test(new URL(address, location.href).protocol)) throw new Error("no payment page");
  const form = make("form", "", { method: "POST", action: address, hidden: true });
  for (const [name, value] of Object.entries(fields ?? {})) form.append(make("input", "", { type: "hidden", name, value }));
  document.body.append(form);
  // A field may be called `submit`.
  HTMLFormElement.prototype.submit.call(form);
}

async function startConfirmation(step) {
  find("#verify-now", step)?.addEventListener("click", () => track("edx.bi.user.verification.immediate"));
  find("#verify-later", step)?.addEventListener("click", () => track("edx.bi.user.verification.deferred"));
  const order = new URLSearchParams(location.search).get("payment-order-num");
  if (!order) return hint(find(".hint", step), say("no-receipt"));
  try {
    const answer = await fetch(`/shoppingcart/receipt/${encodeURIComponent(order)}/`, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error("no receipt");
    showReceipt(find(".receipt-table", step), await answer.json());
  } catch {
    tell(find(".problem", step), say("receipt-failed"), say("receipt-failed-next"));
  }
}

function showReceipt(root, receipt) {
  const money = (amount) => `${Number(amount).toLocaleString(document.documentElement.lang, { minimumFractionDigits: 2, maximumFractionDigits: 2 })} ${String(receipt.currency).toUpperCase()}`;
  const put = (name, text) => (find(`[data-receipt=${name}]`, root).textContent = text);
  const to = receipt.billed_to ?? {};
  const words = (...parts) => parts.filter(Boolean).join(" ");
  put("number", receipt.orderNum);
  put("date", receipt.purchase_datetime);
  put("billed", [words(to.first_name, to.last_name), words(to.postal_code, to.city), words(to.state, to.country)].filter(Boolean).join(", "));
  put("total", money(receipt.total_cost));
  const rows = (receipt.items ?? []).map((item) => {
    const row = make("tr", "");
    row.append(make("td", item.line_desc), make("td", money(item.line_cost)));
    return row;
  });
  find("tbody", root).replaceChildren(...rows);
  const isRefunded = receipt.status === "refunded";
  find("[data-receipt=refunded]", root).hidden = !isRefunded;
  find("table", root).classList.toggle("is-refunded", isRefunded);
  root.hidden = false;
}
