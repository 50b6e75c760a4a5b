# MLflow's server with the drivers of its database and of its artifact store.
FROM python:3.11-slim
RUN pip install --no-cache-dir mlflow==3.17.2 psycopg2-binary==2.9.13 boto3 \
    && useradd --create-home mlflow
USER mlflow
WORKDIR /home/mlflow
CMD ["mlflow", "server"]
