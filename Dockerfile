# One image for every process of the venue: web, django, engine, worker, beat and manage.py.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1

RUN groupadd --system --gid 10001 bourse \
    && useradd --system --uid 10001 --gid bourse --home-dir /app --shell /usr/sbin/nologin bourse

WORKDIR /app

# Before the code, so that a change of code does not install everything anew.
COPY requirements.txt .
RUN pip install --require-hashes --requirement requirements.txt

COPY . .

# Collecting needs settings, but neither servers nor a real secret: these are gone afterwards.
RUN SECRET_KEY=for-collecting-static-files-alone DATABASE_URL=postgresql://none/none REDIS_URL=redis://none \
    python manage.py collectstatic --noinput

USER bourse

EXPOSE 8000

CMD ["gunicorn", "exchange_project.asgi", "-c", "exchange_project/front/gunicorn.py", "--no-control-socket"]
